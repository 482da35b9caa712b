"""The part of AWS Glue's Python library that the jobs use; on the laptop it stands in Glue's place."""
