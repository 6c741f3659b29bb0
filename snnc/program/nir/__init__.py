"""Programs as graphs of NIR, the Neuromorphic Intermediate Representation, and back."""

from snnc.program.nir.export import export_nir, nir_graph
from snnc.program.nir.layout import FORMS, Form, nir_form
from snnc.program.nir.reader import is_nir, load_nir

__all__ = ["FORMS", "Form", "export_nir", "is_nir", "load_nir", "nir_form", "nir_graph"]
