"""From a ``.net`` file to spikes, accuracy and energy."""
