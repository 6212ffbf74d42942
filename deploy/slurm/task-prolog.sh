#!/bin/sh
# What is printed here as `export` becomes the job's environment.
echo "export TMPDIR=/scratch/${SLURM_JOB_ID:?}"
