#!/bin/sh
# SPDX-License-Identifier: MIT
# Trains the Fourier neural operator of examples/darcy16.yaml in three precisions on the same data and prints one table.
# Leaves in demo/POLICY the run folder (checkpoints, log, metrics) and the prediction at 32 x 32, in demo/pictures the pictures.
set -eu
cd "$(dirname "$0")/.."
mpno=build/mpno

# number FILE KEY...: the number found in the one line of JSON in FILE by going down the keys in turn
number() {
    file=$1
    shift
    awk -v path="$*" '{
        n = split(path, keys, " ")
        for (i = 1; i <= n; ++i) {
            at = index($0, "\"" keys[i] "\":")
            if (!at) exit 1
            $0 = substr($0, at + length(keys[i]) + 3)
        }
        match($0, /[-+.0-9eE]+/)
        print substr($0, RSTART, RLENGTH)
    }' "$file"
}

mkdir -p demo/pictures
for policy in full mixed schedule; do
    echo "== training: precision.policy=$policy"
    rm -rf "demo/$policy" "demo/pictures/$policy"
    $mpno train examples/darcy16.yaml "output=demo/$policy" "precision.policy=$policy" --json >"demo/$policy.json"
    $mpno predict "demo/$policy" examples/data/darcy_test_32.pt --quiet \
        -o "demo/$policy/prediction_32.safetensors" --pictures "demo/pictures/$policy"
done

echo
echo "Darcy flow, test errors (relative, mean over 50 samples); trained on 16 x 16, 32 x 32 is zero-shot"
echo "policy       L2 16x16   H1 16x16   L2 32x32   H1 32x32   s/epoch   peak MiB"
for policy in full mixed schedule; do
    json=demo/$policy.json
    echo "$policy" "$(number "$json" test 16 l2)" "$(number "$json" test 16 h1)" \
        "$(number "$json" test 32 l2)" "$(number "$json" test 32 h1)" \
        "$(number "$json" seconds_per_epoch)" "$(number "$json" peak_bytes)"
done | awk '{ printf "%-10s %10.4f %10.4f %10.4f %10.4f %9.2f %10.1f\n", $1, $2, $3, $4, $5, $6, $7 / 1048576 }'
$mpno info --cpu
echo "run folders: demo/full, demo/mixed, demo/schedule; pictures (input, truth, prediction, error): demo/pictures"
