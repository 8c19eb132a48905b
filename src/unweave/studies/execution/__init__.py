"""How the runs of a study are executed: here, on a Ray cluster, or as jobs of Slurm."""
