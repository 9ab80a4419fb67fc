use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::expression::{Mistake, Template};

/// Every text with expressions that was read, so that each is read once however often it is evaluated.
#[derive(Debug, Default)]
pub struct Templates {
    read: Mutex<HashMap<Arc<str>, Read>>,
}

type Read = Result<Option<Arc<Template>>, Arc<[Mistake]>>;

impl Templates {
    /// The template in `text`; nothing where there is no expression in it.
    pub fn template(&self, text: &Arc<str>) -> Read {
        // Looking for one byte first is a quarter of the work where there is none, as in most texts.
        if !text.contains('$') || !text.contains("${{") {
            return Ok(None);
        }
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(text) {
            return known.clone();
        }
        let template = Template::parse(text).map(|template| template.map(Arc::new)).map_err(Arc::from);
        read.insert(Arc::clone(text), template.clone());
        template
    }
}
