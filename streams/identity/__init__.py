"""Who is who and who counts: what identity and moderation events say of the accounts of a community; pure."""
