-- Of which frames of its scan a film or model is.

ALTER TABLE renders ADD COLUMN IF NOT EXISTS frames text COLLATE "C";

COMMENT ON COLUMN renders.frames IS 'The digest of the frames that the scan had when it was asked for; of any others it does not count. Null: asked for before this was noted.';
