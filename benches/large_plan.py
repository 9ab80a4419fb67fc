#!/usr/bin/env python3
"""Writes a large plan to stdout: pushes, attaches, discovers and copies that use each other's digests.

    benches/large_plan.py --steps 10000 > large.yaml
"""

import argparse
import sys

HEAD = """\
consign: 1
name: large
description: As many steps as a plan of a whole organisation has.

inputs:
  REGISTRY: { type: registry, default: registry.example }
  STAGING: { type: registry, default: staging.example }

vars:
  SOURCE: ${{ REGISTRY }}/team
  TARGET: ${{ STAGING }}/team

steps:
"""

# Five steps on one tag; each reads what those above it made.
GROUP = """\
  - id: push_NUMBER
    description: The program, release RELEASE of app-APP.
    push:
      to: ${{ SOURCE }}/app-APP:vRELEASE
      artifact_type: application/vnd.example.program
      annotations:
        org.opencontainers.image.version: "RELEASE"
        org.opencontainers.image.vendor: Example
        org.opencontainers.image.documentation: https://example.com/app-APP
      files:
        - name: program.txt
          media_type: text/plain
          annotations:
            org.opencontainers.image.description: the program itself
          content: |
            program NUMBER
            of app-APP
            in release RELEASE
        - name: notice.txt
          media_type: text/plain
          content: |
            notice NUMBER
            for app-APP

  - id: attach_NUMBER
    description: What the program is made of.
    attach:
      subject: ${{ SOURCE }}/app-APP:vRELEASE
      artifact_type: sbom/example
      annotations:
        org.opencontainers.image.description: bill of materials
      files:
        - name: sbom.json
          media_type: application/json
          json:
            artifact: ${{ SOURCE }}/app-APP
            digest: ${{ steps.push_NUMBER.digest }}
            components:
              - one
              - two
              - number NUMBER
        - name: scan.json
          media_type: application/json
          json:
            artifact: ${{ SOURCE }}/app-APP:vRELEASE
            findings: []

  - id: discover_NUMBER
    description: Nothing is promoted that has no bill of materials.
    discover:
      subject: ${{ SOURCE }}/app-APP:vRELEASE
      artifact_type: sbom/example
      annotations:
        org.opencontainers.image.description: bill of materials
      expect: one

  - id: copy_NUMBER
    description: Promotion of the program with all that was attached.
    copy:
      from: ${{ SOURCE }}/app-APP@${{ steps.push_NUMBER.digest }}
      to: ${{ TARGET }}/app-APP:vRELEASE
      if_exists: replace
      referrers: all

  - id: tag_NUMBER
    description: The release by the digest of its bill of materials.
    tag:
      from: ${{ steps.copy_NUMBER.reference }}
      tags:
        - RELEASE-sbom-${{ steps.discover_NUMBER.digest | short }}
      if_exists: replace

"""

STEPS_OF_A_GROUP = 5


def write_plan(steps, repositories, out):
    """Writes a plan of `steps` steps, rounded down to whole groups, on so many repositories."""
    out.write(HEAD)
    for number in range(steps // STEPS_OF_A_GROUP):
        app, release = number % repositories, number // repositories
        out.write(
            GROUP.replace("NUMBER", str(number)).replace("RELEASE", str(release)).replace("app-APP", f"app-{app}")
        )


LOOP = """\
consign: 1
name: loop
inputs: { REGISTRY: { type: registry, default: registry.example } }
steps:
  - id: release
    foreach: { in: [IMAGES], as: image }
    steps:
      - id: image
        push:
          to: ${{ REGISTRY }}/team/${{ image }}:v1
          files: [{ name: program.txt, content: "program of ${{ image }}" }]
      - id: sbom
        attach:
          subject: ${{ steps.image.reference }}
          artifact_type: sbom/example
          files: [{ name: sbom.json, json: { image: "${{ steps.image.digest }}" } }]
      - id: complete
        discover: { subject: "${{ steps.image.reference }}", artifact_type: sbom/example, expect: one }
      - id: promote
        copy: { from: "${{ steps.image.reference }}", to: "${{ REGISTRY }}/stable/${{ image }}:v1" }
      - id: latest
        tag: { from: "${{ steps.promote.reference }}", tags: [latest], if_exists: replace }
"""


def write_loop(images, out):
    """A loop over so many images, with five steps for each."""
    out.write(LOOP.replace("IMAGES", ", ".join(f"image{number}" for number in range(images))))


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=10_000)
    arguments.add_argument("--repositories", type=int, default=500)
    options = arguments.parse_args()
    write_plan(options.steps, options.repositories, sys.stdout)


if __name__ == "__main__":
    main()
