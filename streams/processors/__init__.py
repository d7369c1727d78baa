"""The stages of the pipeline, one verb a file; `worker` is the only one that knows Faust."""
