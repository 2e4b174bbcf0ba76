"""Parquet as Hugging Face lays it out: ``read`` the pictures and labels, two ``columns`` of ``pages`` of ``thrift``."""
