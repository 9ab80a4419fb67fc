use crate::{
    oci::{Descriptor, Digest, Repository, annotation, media_type},
    output::Output,
};

/// Stands for what is known only when a step has run.
///
/// A plan is worked out twice before it runs, under two guesses. What comes out differently depends on what is not
/// known yet; what comes out alike does not.
#[derive(Debug, Clone, Copy)]
pub struct Guess<'a> {
    /// Tells the guesses apart.
    pub world: u8,
    /// The step whose outputs are guessed.
    pub step: &'a str,
}

impl Guess<'_> {
    /// A digest that looks like one and is not the digest of anything.
    pub fn digest(&self, output: &str) -> Digest {
        Digest::sha256(format!("guess {} of {}.{output}", self.world, self.step).as_bytes())
    }

    /// A blob that stands for those of a list.
    pub fn blob(&self, output: &str) -> Descriptor {
        let blob = Descriptor::new(media_type::LAYER_TAR, self.digest(output), u64::from(self.world));
        let title = (annotation::TITLE.to_owned(), self.text(output));
        Descriptor { annotations: [title].into(), ..blob }
    }

    /// The outputs of a step that names a manifest in `repository`.
    pub fn manifest(&self, repository: &Repository) -> Output {
        let media_type = if self.world == 0 { media_type::IMAGE_MANIFEST } else { media_type::IMAGE_INDEX };
        let manifest = Descriptor::new(media_type, self.digest("digest"), u64::from(self.world));
        Output::of_manifest(repository, &manifest).with("outcome", self.text("outcome")).with("changed", self.flag())
    }

    /// The outputs that every step has.
    pub fn output(&self) -> Output {
        Output::default().with("outcome", self.text("outcome")).with("changed", self.flag())
    }

    /// Text that differs between the guesses.
    pub fn text(&self, output: &str) -> String {
        format!("guess-{}-{}-{output}", self.world, self.step.to_lowercase())
    }

    /// A boolean that differs between the guesses.
    pub const fn flag(&self) -> bool {
        self.world == 0
    }
}
