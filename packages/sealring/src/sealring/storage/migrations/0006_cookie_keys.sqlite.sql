-- The key of device tokens turns from now on, as the first of its line. Its seal goes on naming the place where it was.
INSERT INTO keys (kid, purpose, alg, state, mac_key_id, sealed, public_jwk, created_at, api, activated_at, leaves_at)
SELECT 'cookie-device', 'cookie', 'HS256', 'active', NULL, sealed, NULL, COALESCE((SELECT MIN(created_at) FROM keys), 0),
       NULL, NULL, NULL
FROM standing_keys WHERE purpose = 'device';
UPDATE key_version SET version = version + 1 WHERE EXISTS (SELECT 1 FROM standing_keys WHERE purpose = 'device');
DELETE FROM standing_keys WHERE purpose = 'device';
