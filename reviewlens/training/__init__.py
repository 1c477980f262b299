"""From labelled reviews, or existing checkpoints, to a bundle."""
