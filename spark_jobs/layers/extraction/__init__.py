"""Extraction: tables of other databases become Parquet landings in the raw layer."""
