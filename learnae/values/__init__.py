"""Frozen values that every layer shares: ids, scores, records, announcements, the manifest, journal entries."""
