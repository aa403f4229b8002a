"""The configuration: composed by Hydra, checked, built; nothing here needs torch."""
