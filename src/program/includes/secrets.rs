use std::sync::Arc;

use super::{Expanding, Wanted};
use crate::plan::{
    Diagnostic, Templates,
    yaml::{Entry, Node},
};

impl Expanding<'_> {
    /// Gives a plan its secrets. Where it would take them from is not looked at: it gets those of the plan that includes it,
    /// by name, and no others.
    pub(super) fn give_secrets(&mut self, wanted: &Wanted<'_>, secrets: &[Entry], module: usize, parent: usize) {
        let prefix = Arc::clone(self.whole.prefix(module));
        for Entry { key, .. } in secrets {
            let name = &key.text;
            let help = format!("give it a secret of this plan: `with: {{ {name}: ${{{{ {name} }}}} }}`");
            let given = wanted.with.iter().find(|entry| entry.key.text == *name);
            let secret = given.and_then(|entry| self.secret(&entry.value, parent));
            if secret.is_none() {
                let diagnostic = match given {
                    Some(entry) => Diagnostic::new(format!("`{name}` is a secret: it takes one, and nothing else"))
                        .at(entry.value.span),
                    None => Diagnostic::new(format!("`{}` needs the secret `{name}`", wanted.plan.value))
                        .at(wanted.plan.span),
                };
                self.diagnostics.push(diagnostic.help(help));
            }
            // One that is missing is there by its own name, so that nothing else is said of it.
            let full: Arc<str> = format!("{prefix}{name}").into();
            self.whole.given_secrets.insert(Arc::clone(&full), secret.unwrap_or(full));
        }
    }

    /// The secret of the plan that runs that `value` names in that plan.
    fn secret(&self, value: &Node, module: usize) -> Option<Arc<str>> {
        let template = Templates::default().template(&value.scalar()?.text).ok()??;
        let full = format!("{}{}", self.whole.prefix(module), template.lone_name()?);
        let own = self.whole.secrets.iter().map(|entry| &entry.key.text).find(|name| ***name == *full);
        own.or_else(|| self.whole.given_secrets.get(full.as_str())).cloned()
    }
}
