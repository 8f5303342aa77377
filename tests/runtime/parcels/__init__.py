"""The smallest real service: one act, its store, a consumer of its own source, an activity and a workflow."""
