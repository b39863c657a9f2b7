//! Tools, resources and prompts as clients list them.

use rmcp::model::{
    MetaObject, Prompt, PromptArgument, Resource, ResourceTemplate, Tool, ToolAnnotations,
};

use super::catalogue::{Definition, Does, ReadsOnly};
use super::prompts::{Blank, TASKS, Task};
use super::resources::{FIXED, Fixed, OF_CASES};
use crate::case::CaseId;

/// What all that can be read is.
pub(super) const PLAIN: &str = "text/plain";

/// A tool as clients list it.
pub(super) fn tool(tool: &Definition, is_bound: bool, has_network: bool) -> Tool {
    let reads_only = matches!(tool.reads_only, ReadsOnly::Yes);
    // Only commands reach what is outside, and all that is changed is in a jail, or is
    // one more case.
    let is_open = has_network && tool.does == Does::Work && tool.name == "shell";
    let mut hints = ToolAnnotations::new().read_only(reads_only).open_world(is_open);
    if !reads_only {
        hints = hints.destructive(false);
    }
    let listed =
        Tool::new(tool.name, tool.description, tool.schema(is_bound)).with_annotations(hints);
    // The others are looked for when they are needed, and there is a tool for that.
    if matches!(tool.does, Does::Close | Does::Door { .. }) {
        return listed;
    }
    let mut meta = MetaObject::default();
    meta.0.insert("anthropic/alwaysLoad".into(), true.into());
    listed.with_meta(meta)
}

/// Whether a tool can be called by one who may only look.
pub(super) fn only_looks(tool: &Tool) -> bool {
    tool.annotations.as_ref().is_some_and(|hints| hints.read_only_hint == Some(true))
}

/// What can be read: what is always there, and what is there of this case.
pub(super) fn resources(bound: Option<&CaseId>) -> Vec<Resource> {
    let resource = |it: &Fixed, uri: String| {
        Resource::new(uri, it.name).with_description(it.about).with_mime_type(PLAIN)
    };
    let mut all: Vec<_> = FIXED.iter().map(|it| resource(it, it.uri.into())).collect();
    if let Some(bound) = bound {
        // What else a template stands for is found by its number.
        let journal = &OF_CASES[0];
        all.push(resource(journal, journal.uri.replace("{id}", bound.as_str())));
    }
    all
}

/// What can be read of each case.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = |it: &Fixed| {
        ResourceTemplate::new(it.uri, it.name).with_description(it.about).with_mime_type(PLAIN)
    };
    OF_CASES.iter().map(template).collect()
}

/// The ways to begin, with what each takes.
pub(super) fn prompts() -> Vec<Prompt> {
    let argument = |blank: &Blank| {
        PromptArgument::new(blank.name).with_description(blank.about).with_required(blank.is_needed)
    };
    let prompt = |task: &Task| {
        let takes = task.takes.iter().map(argument).collect();
        Prompt::new(task.name, Some(task.about), Some(takes))
    };
    TASKS.iter().map(prompt).collect()
}
