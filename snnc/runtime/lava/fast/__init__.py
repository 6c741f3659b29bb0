"""Process models that give what Lava's fixed-point ones give, bit for bit, with matrix products and compiled loops.

None of them is found by Lava's own search: a run configuration has to name them, as
:class:`snnc.runtime.lava.fast.configuration.FastSimCfg` does.
"""
