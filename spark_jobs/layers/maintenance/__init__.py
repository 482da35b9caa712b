"""Maintenance of Iceberg tables: few files, few snapshots, nothing that nobody reads."""
