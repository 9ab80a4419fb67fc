use super::Thing;

/// What a step does to the things outside. Order follows from it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    touches: Vec<(Access, Thing)>,
    tells_blobs: bool,
}

/// How a step touches a thing. Two touches of overlapping things keep their order in the file unless both read or both append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Looks at it.
    Read,
    /// Adds to it what does not disturb other additions.
    Append,
    /// Changes or removes it.
    Write,
}

impl Access {
    /// Whether two touches can be told apart by their order.
    pub const fn conflicts(self, other: Self) -> bool {
        !matches!((self, other), (Self::Read, Self::Read) | (Self::Append, Self::Append))
    }

    /// The word for it.
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Append => "adds to",
            Self::Write => "changes",
        }
    }
}

impl Effects {
    /// The same, and it reads `thing`.
    pub fn read(mut self, thing: Thing) -> Self {
        self.touches.push((Access::Read, thing));
        self
    }

    /// The same, and it appends to `thing`.
    pub fn append(mut self, thing: Thing) -> Self {
        self.touches.push((Access::Append, thing));
        self
    }

    /// The same, and it writes `thing`.
    pub fn write(mut self, thing: Thing) -> Self {
        self.touches.push((Access::Write, thing));
        self
    }

    /// The same, and what it hands on tells which blobs were there.
    pub const fn telling_blobs(mut self) -> Self {
        self.tells_blobs = true;
        self
    }

    /// Whether it can be seen from its outputs which blobs were there: then nobody may bring blobs before its end that
    /// come after it.
    pub const fn tells_blobs(&self) -> bool {
        self.tells_blobs
    }

    /// Everything that it touches, in the order in which it was said.
    pub fn touches(&self) -> &[(Access, Thing)] {
        &self.touches
    }

    /// Whether it touches `thing` or what contains it.
    pub fn touch(&self, thing: &Thing) -> bool {
        self.touches.iter().any(|(_, wide)| wide.contains(thing))
    }

    /// Whether it changes anything, here or in a registry.
    pub fn changes_anything(&self) -> bool {
        self.touches.iter().any(|(access, _)| *access != Access::Read)
    }

    /// The smallest effects that cover both: what the same step does under two guesses of what is not known yet.
    pub fn common(&self, other: &Self) -> Self {
        let same_shape = self.touches.len() == other.touches.len()
            && self.touches.iter().zip(&other.touches).all(|((one, _), (two, _))| one == two);
        if !same_shape {
            return self.everywhere();
        }
        let touches = self.touches.iter().zip(&other.touches);
        let touches = touches.map(|((access, one), (_, two))| (*access, one.common(two))).collect();
        Self { touches, tells_blobs: self.tells_blobs || other.tells_blobs }
    }

    /// Anything, anywhere: for what cannot be known before the run. How a step touches things may depend on values too,
    /// as a push has a tag or none; whether it changes anything at all does not.
    pub fn everywhere(&self) -> Self {
        let access = if self.changes_anything() { Access::Write } else { Access::Read };
        Self { touches: vec![(access, Thing::everything())], tells_blobs: self.tells_blobs }
    }

    /// The first touch that these effects do not cover, if there is one.
    pub fn uncovered<'a>(&self, actual: &'a Self) -> Option<&'a (Access, Thing)> {
        let covers = |access: Access, thing: &Thing| {
            self.touches
                .iter()
                .any(|(known, wide)| (*known == access || *known == Access::Write) && wide.contains(thing))
        };
        actual.touches.iter().find(|(access, thing)| !covers(*access, thing))
    }
}
