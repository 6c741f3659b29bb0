"""Hybrid training: a converted network is trained on as a spiking one."""
