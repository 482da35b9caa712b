"""The contracts of a pipeline: model, loader and compiled plan."""
