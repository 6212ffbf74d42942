#!/bin/sh
# On the node, as root, before a job: a scratch folder of its own.
install -d -m 0700 -o "$SLURM_JOB_UID" "/scratch/${SLURM_JOB_ID:?}"
