"""xVal (Golkar et al. 2023, arXiv 2310.02989): one token for every number, scaled by its value."""
