-- The answer that is still streaming, piece by piece: a long one is not written again each time it has grown.
CREATE TABLE draft_pieces (
    key     INTEGER PRIMARY KEY,
    session INTEGER NOT NULL,
    piece   TEXT NOT NULL
) STRICT;
CREATE INDEX draft_pieces_by_session ON draft_pieces (session, key);
INSERT INTO draft_pieces (session, piece) SELECT session, payload FROM drafts;
DROP TABLE drafts;
