#!/bin/sh
# A task of the benchmark, called as a node calls Python: -m nightshift.jobs ... <job-file> --unit <index>.
# It notes when it began, sleeps a second, and leaves the result of its one unit by an atomic rename.
began=$(date +%s.%N)
while [ $# -gt 3 ]; do shift; done
sleep 1
awk -v task="$3" '
    /^   "folder": /   { folder[folders++] = $2 }
    /^   "token": /    { token[tokens++] = $2 }
    /^   "unit_key": / { key[keys++] = $2 }
    END { gsub(/[",]/, "", folder[task]); print folder[task], token[task] key[task] }
' "$1" | tr -d '"' | tr , ' ' | {
    read -r folder token key
    mkdir -p "$folder"
    echo "$began" >"$folder/began"
    printf '{"schema": "nightshift.result/1", "unit_key": "%s", "token": "%s", "state": "succeeded", "reason": null,
"error_class": null, "detail": "", "flags": [], "products": [], "metrics": {}, "rows": {}, "seconds": {},
"peak_memory_mb": 1.0, "host": "%s"}\n' "$key" "$token" "$SLURMD_NODENAME" >"$folder/.result.json.tmp"
    mv "$folder/.result.json.tmp" "$folder/result.json"
}
