use std::fmt;

use super::StepId;

/// The steps that waited for each other the longest, in round trips over the network: what a run costs at least,
/// however much of it goes out together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Each with its round trips that stood one after another; steps without any are left out.
    pub links: Vec<(StepId, u32)>,
}

impl Chain {
    /// All of them together.
    pub fn round_trips(&self) -> u32 {
        self.links.iter().fold(0, |sum, (_, trips)| sum.saturating_add(*trips))
    }
}

impl fmt::Display for Chain {
    /// `14 round trips on the longest chain: image (6), promote (8)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.round_trips() {
            1 => f.write_str("1 round trip")?,
            trips => write!(f, "{trips} round trips")?,
        }
        f.write_str(" on the longest chain")?;
        for (number, (step, trips)) in self.links.iter().enumerate() {
            write!(f, "{} {step} ({trips})", if number == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_says_how_long_it_is_and_why() {
        let chain = Chain { links: vec![(StepId::new(3, "image"), 6), (StepId::new(7, "promote"), 8)] };
        assert_eq!(chain.to_string(), "14 round trips on the longest chain: image (6), promote (8)");
        let short = Chain { links: vec![(StepId::new(0, "tag"), 1)] };
        assert_eq!(short.to_string(), "1 round trip on the longest chain: tag (1)");
        assert_eq!(Chain::default().to_string(), "0 round trips on the longest chain");
    }
}
