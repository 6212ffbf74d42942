#!/bin/sh
# On the node, as root, after a job, however it ended: nothing of it stays on the node's disk.
rm -rf --one-file-system "/scratch/${SLURM_JOB_ID:?}"
