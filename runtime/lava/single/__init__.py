"""All processes of a Lava network in one process of the operating system.

Lava's runtime starts one for each, and a step costs each of them a dozen messages through semaphores and threads,
whatever it computes. Here Lava's compiler does its work as always; its models run one after another.
"""
