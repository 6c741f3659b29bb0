"""What a model file says about itself, before it is compiled: ``snnc init``."""

from snnc.analysis.first_look.look import FirstLook, look_at_model

__all__ = ["FirstLook", "look_at_model"]
