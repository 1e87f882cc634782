"""Statements over the revocation feed: dense numbers from the one row of `store_state` (SECURITY B1)."""

FIND_HEAD = "SELECT incarnation, feed_number, feed_digest FROM store_state"
MOVE_HEAD = "UPDATE store_state SET feed_number = :number, feed_digest = :digest"
ADD_REVOCATION = """
INSERT INTO revocations (number, kind, id, audience, epoch, at, until, client_id, digest)
VALUES (:number, :kind, :id, :audience, :epoch, :at, :until, :client_id, :digest)
"""
FIND_DIGEST = "SELECT digest FROM revocations WHERE number = :number"
LIST_AFTER = """
SELECT number, kind, id, audience, epoch, at, until FROM revocations
WHERE number > :after AND number <= :number AND (audience IS NULL OR audience = :audience)
  AND (until IS NULL OR until > :now)
ORDER BY number LIMIT :limit
"""
LIST_LIVE = """
SELECT number, kind, id, audience, epoch, at, until FROM revocations
WHERE (audience IS NULL OR audience = :audience) AND (until IS NULL OR until > :now)
ORDER BY number
"""
LIST_AUDIENCES_AFTER = "SELECT DISTINCT audience FROM revocations WHERE number > :after"
FIND_LIVE_ID = "SELECT 1 FROM revocations WHERE id = :id AND (until IS NULL OR until > :now) LIMIT 1"
# Those that the last epoch step of the client ended as well count no more, or each token after it would be a step too.
COUNT_LIVE_TOKENS_OF_CLIENT = """
SELECT count(*) FROM revocations WHERE kind = 'jti' AND client_id = :client_id AND until > :now
  AND number > (SELECT coalesce(max(number), 0) FROM revocations WHERE id = :client AND kind = 'client')
"""
# All of them stay in the verifiers until they expire, however many steps there were: a step for each token adds nothing
# there, since it stands in the place of the one before.
COUNT_LIVE_TOKENS_OVER_STEPS = """
SELECT count(*) FROM (
  SELECT 1 FROM revocations WHERE kind = 'jti' AND client_id = :client_id AND until > :now LIMIT :most) AS live
"""
# A while longer than they live: a verifier that was away goes on from a row that still tells which history it was in.
FORGET_REVOCATIONS = """
DELETE FROM revocations WHERE number IN (
  SELECT number FROM revocations WHERE until <= :before ORDER BY until LIMIT :limit)
"""

# PostgreSQL:
LOCK_HEAD = "SELECT incarnation, feed_number, feed_digest FROM store_state FOR UPDATE"
