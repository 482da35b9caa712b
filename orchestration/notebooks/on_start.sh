#!/bin/bash
# Runs as root whenever the instance starts: puts the first notebook and what it must know on the volume.
set -eu
home=/home/ec2-user/SageMaker/landfall
mkdir -p "$home"
cat > "$home/landfall.json" <<'SETTINGS'
${Settings}
SETTINGS
# A notebook that somebody has changed is theirs.
[ -e "$home/marts.ipynb" ] || aws s3 cp "${Notebook}" "$home/marts.ipynb"
chown -R ec2-user:ec2-user "$home"
