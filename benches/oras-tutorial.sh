#!/usr/bin/env bash
# The article that plans/acr-tutorial.yaml replays, as a script of oras commands:
#
#     benches/oras-tutorial.sh REGISTRY WORK
#
# Every registry command of the article is here, in its order. Where the article cannot run as it
# stands: the image is pushed with oras, since there is nothing to build; the docs are attached,
# which the article shows the result of but no command for; digests are read from `.referrers`.
set -euo pipefail

REGISTRY=$1
work=$2
files=$(cd "$(dirname "${BASH_SOURCE[0]}")/../plans/acr-tutorial" && pwd)

REPO=net-monitor
TAG=v1
IMAGE=$REGISTRY/$REPO:$TAG
TARGET_REPO=$REGISTRY/sample-staging/$REPO

# The image's files, once per work folder: what a build would have left.
if [ ! -e "$work/image/config.json" ]; then
    mkdir -p "$work/image/root/app"
    cp "$files/net-monitor/net-monitor" "$work/image/root/app/"
    tar -C "$work/image/root" --owner=0 --group=0 --mtime=@0 -cf "$work/image/layer.tar" app
    diff=$(sha256sum "$work/image/layer.tar" | cut -d ' ' -f 1)
    gzip -n "$work/image/layer.tar"
    printf '{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/app/net-monitor"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
        "$diff" >"$work/image/config.json"
fi

run() {
    oras "$@" --plain-http
}

cd "$files"
# Push and pull an OCI artifact
run push "$REGISTRY/samples/artifact:readme" --artifact-type readme/example ./readme.md:application/markdown
run push "$REGISTRY/samples/artifact:readme" --artifact-type readme/example ./readme.md:application/markdown ./details
run manifest fetch --pretty "$REGISTRY/samples/artifact:readme"
run pull -o "$work/download/readme" "$REGISTRY/samples/artifact:readme"
run manifest delete -f "$REGISTRY/samples/artifact:readme"

# A container image, and the graph that grows on it
cd "$work/image"
run push "$IMAGE" --config config.json:application/vnd.oci.image.config.v1+json \
    layer.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip
cd "$work"
echo '{"artifact": "'"$IMAGE"'", "signature": "jayden hancock"}' >signature.json
run attach "$IMAGE" --artifact-type signature/example ./signature.json:application/json
cd "$files"
run attach "$IMAGE" --artifact-type readme/example ./readme.md:application/markdown ./details
run discover "$IMAGE"
cd "$work"
echo '{"version": "0.0.0.0", "artifact": "'"$IMAGE"'", "contents": "good"}' >sbom.json
run attach "$IMAGE" --artifact-type sbom/example ./sbom.json:application/json
SBOM_DIGEST=$(run discover --format go-template --template '{{ (index .referrers 0).digest }}' \
    --artifact-type sbom/example "$IMAGE")
echo '{"artifact": "'"$IMAGE@$SBOM_DIGEST"'", "signature": "jayden hancock"}' >sbom-signature.json
run attach "$IMAGE@$SBOM_DIGEST" --artifact-type signature/example ./sbom-signature.json:application/json
run discover "$IMAGE"

# Promote the graph
oras copy -r "$IMAGE" "$TARGET_REPO:$TAG" --from-plain-http --to-plain-http
run discover "$TARGET_REPO:$TAG"
DOC_DIGEST=$(run discover --format go-template --template '{{ (index .referrers 0).digest }}' \
    --artifact-type readme/example "$TARGET_REPO:$TAG")
run pull -o "$work/download/docs" "$TARGET_REPO@$DOC_DIGEST"
run repo tags "$REGISTRY/$REPO"

# Delete: on this registry that is one manifest each, what was attached stays
run manifest delete -f "$IMAGE"
run manifest delete -f "$TARGET_REPO:$TAG"
