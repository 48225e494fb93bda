#!/bin/sh
# The life of a dataset: from its first check to a leak, an accepted pair and clean splits.
#
#     sh life.sh [FOLDER]
#
# The scans are those of `dvdup demo`; FOLDER must be new. life.md shows what is printed.
set -eu

run() {
    printf '\n$ dvdup'
    for word; do
        case $word in *' '*) printf ' "%s"' "$word" ;; *) printf ' %s' "$word" ;; esac
    done
    printf '\n'
    command dvdup "$@" 2>&1 || printf '(exit code %s)\n' "$?"
}

say() { printf '\n# %s\n' "$*"; }

folder=${1:-life}
DVDUP_VERIFY_CANDIDATES=0 dvdup demo "$folder/arrived" >/dev/null 2>&1
mkdir "$folder/dataset" "$folder/dataset/train" "$folder/dataset/test"
cd "$folder/dataset"
mv ../arrived/train/scan-0* ../arrived/train/scan-18.nii.gz train
mv ../arrived/test/scan-32.nii.gz ../arrived/test/scan-36.nii.gz test

say 'A dataset of two splits is declared, checked and named.'
run init
run check -q
run tag v1

say 'New scans arrive. Two of them are in train already, one of these cropped.'
mv ../arrived/test/scan-33.nii.gz ../arrived/test/scan-37.nii.gz ../arrived/test/scan-40.nii.gz test
run check -q

say 'One pair is known and may stay: it is accepted, with a reason.'
run accept test/scan-33 train/scan-08 --reason 'phantom, in both splits on purpose'

say 'For the other one a change is proposed, and made.'
run groups --resplit -q
mv train/scan-18.nii.gz ..

say 'Now the check passes.'
run check -q
run tag v2

say 'What happened; what has changed between the two tags; what test has now of train as it was.'
run log
run diff v1 v2 -q
run diff train@v1 test -q
