/// What the front end must know of a kind; the kinds themselves stand in a layer below.
#[derive(Debug, Clone)]
pub struct KindInfo {
    /// The key in a step.
    pub name: &'static str,
    /// The outputs that a step of this kind can have.
    pub outputs: Vec<&'static str>,
}
