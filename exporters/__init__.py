"""Exporters: processes of their own that read rendered files and never import the generator."""
