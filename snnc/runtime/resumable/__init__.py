"""Runs that can be interrupted: what is done is kept in a file, and the next run goes on from there."""

from snnc.runtime.resumable.run import ResumableRun

__all__ = ["ResumableRun"]
