//! The kinds of steps: one file each, with its fields, its effects, its work, its example and its tests.
//!
//! A step touches content only through a store, and knows nothing of the graph that it stands in. Adding a kind is
//! one file and one line in `KINDS`; parser, schema, `consign kinds` and the example test follow from that list.

mod aliases;
mod arriving;
mod artifact;
mod assert;
mod attach;
mod attest;
mod base;
mod context;
mod copy;
mod copy_platforms;
mod copy_referrers;
mod copying;
mod delete;
mod delete_select;
mod discover;
mod done;
mod effect_info;
mod effects;
mod error;
mod exec;
mod expect;
mod file;
mod file_or_secret;
mod flat;
mod folders;
mod guess;
mod if_exists;
mod image;
mod image_config;
mod include;
mod index;
mod inspect;
mod kind;
mod leaves;
mod list_tags;
mod made;
mod manifest_list;
mod mode;
mod pins;
mod places;
mod platforms;
mod publish;
mod pull;
mod push;
mod reading;
mod remains;
mod several;
mod sign;
mod signature;
mod sort;
mod streamed;
mod tag;
mod tag_selection;
#[cfg(test)]
mod testing;
mod thing;
mod turn;
mod verify;
mod web;

use std::{borrow::Cow, fmt::Debug, path::PathBuf};

use async_trait::async_trait;

pub use self::{
    aliases::Aliases,
    assert::Assert,
    attach::Attach,
    attest::{Attest, Predicate},
    context::StepContext,
    copy::{Copy, CopySelect},
    copy_referrers::{ChosenReferrers, CopyReferrers, ReferrerPattern},
    delete::Delete,
    delete_select::DeleteSelect,
    discover::{Discover, DiscoverPrint},
    done::Done,
    effect_info::EffectInfo,
    effects::{Access, Effects},
    error::StepError,
    exec::{Capture, Exec, ExecError, ExecRehearsal, Programs},
    expect::Expect,
    file::{CompressionName, FileSpec},
    file_or_secret::FileOrSecret,
    guess::Guess,
    if_exists::IfExists,
    image::{Image, ImageLayer},
    include::Include,
    index::{Index, IndexEntry},
    inspect::{Inspect, InspectPrint},
    kind::{Declare, FieldInfo, KINDS, Kind, OutputInfo},
    leaves::Leaves,
    list_tags::ListTags,
    made::Made,
    mode::{Mode, Rehearsing},
    pins::Pins,
    places::{PlaceError, Places},
    pull::{Pull, PullPrint},
    push::Push,
    remains::Overwritten,
    sign::Sign,
    signature::{
        Demand, EnvelopeName, IdentityFields, IfSigned, Lifetime, PluginKey, PredicateName, Requirement, SchemeName,
        SignatureFormat, SignerFields, TimestampService,
    },
    sort::Sort,
    tag::TagStep,
    tag_selection::Globs,
    thing::Thing,
    turn::Turn,
    verify::Verify,
    web::HttpWeb,
};
use crate::{
    oci::{Reference, Repository, Tag},
    output::Output,
    plan::{Diagnostic, yaml::Spanned},
};

/// A step whose fields are known: all of them when it runs, some by a guess when the plan is checked.
#[async_trait]
pub trait Step: Debug + Send + Sync {
    /// What it touches outside. What it does when it runs is within this.
    fn effects(&self, places: &Places) -> Effects;

    /// Whether it may say no, and so holds back what stands after it and changes something.
    fn is_gate(&self) -> bool {
        false
    }

    /// The outputs of its kind that this step does not have in a run of that mode, each with what would give it.
    fn lacks(&self, mode: Mode) -> &'static [(&'static str, &'static str)] {
        let _ = mode;
        &[]
    }

    /// The files that it leaves in a run of that mode, where they are not all that it writes by its effects.
    fn leaves(&self, mode: Mode, places: &Places) -> Option<Leaves> {
        let _ = (mode, places);
        None
    }

    /// What is wrong with its fields together, beyond what each of them alone must be.
    fn check(&self, places: &Places) -> Vec<Diagnostic> {
        let _ = places;
        Vec::new()
    }

    /// The local files and folders that it reads, as they are written: paths and globs relative to the plan's folder.
    fn sources(&self) -> Vec<&Spanned<String>> {
        Vec::new()
    }

    /// Further files and folders that decide what it does: as they are written, and where they are.
    fn inputs(&self, places: &Places) -> Vec<(String, PathBuf)> {
        let _ = places;
        Vec::new()
    }

    /// The tags that it moves, and what it does where one points elsewhere.
    fn moves(&self) -> Vec<(&Repository, &Tag, IfExists)> {
        Vec::new()
    }

    /// The manifest that it adds something to without looking at the graph, with the field that names it. Where only the
    /// digest is named, whoever brings that manifest must come first.
    fn subject(&self) -> Option<(&'static str, &Reference)> {
        None
    }

    /// Its outputs as far as they are known before the run; `guess` stands for the rest.
    fn foresee(&self, guess: &Guess<'_>) -> Output;

    /// Whether it may be started before its turn has come, once its data is there, its files are as they will be, and no
    /// gate holds it back. Until [`StepContext::turn`] it then does only what nobody can tell.
    fn goes_ahead(&self) -> bool {
        false
    }

    /// The program on this machine that it runs, as it is written.
    fn runs(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// What it deletes.
    fn deletes(&self) -> Option<&Reference> {
        None
    }

    /// What is missing of what it made in an earlier run, when it handed on `output`, in words. What was `overwritten` since
    /// is not looked at.
    async fn missing(
        &self,
        cx: &StepContext,
        output: &Output,
        overwritten: Overwritten<'_>,
    ) -> Result<Option<String>, StepError> {
        remains::missing(self, cx, output, overwritten).await
    }

    /// Does the work. It converges: what is there already is left alone.
    async fn run(&self, cx: &StepContext) -> Result<Done, StepError>;
}
