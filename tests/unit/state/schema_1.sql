-- A state store as schema 1 left it, made by the program of that time.
BEGIN TRANSACTION;
CREATE TABLE approvals (
	id INTEGER NOT NULL, 
	"plan" VARCHAR(255) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "approvals" VALUES(1,'p','{"wave":"w","fingerprint":"f1","who":"ann","reason":"so","at":"2026-03-01T12:00:00.123456+00:00"}');
CREATE TABLE controls (
	"plan" VARCHAR(255) NOT NULL, 
	kind VARCHAR(255) NOT NULL, 
	scope VARCHAR(255) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY ("plan", kind, scope)
);
INSERT INTO "controls" VALUES('p','hold','','{"kind":"hold","scope":"","value":{"on":true},"who":"ann","at":"2026-03-01T12:00:00.123456+00:00"}');
CREATE TABLE counters (
	"plan" VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value BIGINT NOT NULL, 
	PRIMARY KEY ("plan", name)
);
INSERT INTO "counters" VALUES('p','token',1);
INSERT INTO "counters" VALUES('p','journal',2);
CREATE TABLE exceptions (
	"plan" VARCHAR(255) NOT NULL, 
	region VARCHAR(255) NOT NULL, 
	area VARCHAR(255) NOT NULL, 
	container VARCHAR(255) NOT NULL, 
	name VARCHAR(1024) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY ("plan", region, area, container, name)
);
INSERT INTO "exceptions" VALUES('p','europe','web-tracking','box','naïve 😀','kept','{"container":"box","name":"na\u00efve \ud83d\ude00","kind":"kept","source_etag":"e1","target_etag":null,"detail":"why","marks":"marks","at":"2026-03-01T12:00:00.123456+00:00"}');
CREATE TABLE journal (
	"plan" VARCHAR(255) NOT NULL, 
	number BIGINT NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY ("plan", number)
);
INSERT INTO "journal" VALUES('p',1,'{"at":"2026-03-01T12:00:00.123456+00:00","actor":"engine","kind":"k","text":"one","wave":"w","move":{"region":"europe","area":"web-tracking"},"run":"","evidence":{"n":1},"number":1}');
INSERT INTO "journal" VALUES('p',2,'{"at":"2026-03-01T12:00:00.123456+00:00","actor":"engine","kind":"k","text":"two","wave":null,"move":null,"run":"","evidence":{},"number":2}');
CREATE TABLE lock_holder (
	"plan" VARCHAR(255) NOT NULL, 
	token BIGINT NOT NULL, 
	nonce VARCHAR(255) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY ("plan")
);
INSERT INTO "lock_holder" VALUES('p',1,'aa','{"nonce":"aa","token":1,"run":"run-aa","owner":"ann","host":"desk","pid":4242,"boot_id":"boot","since":"2026-03-01T12:00:00.123456+00:00","heartbeat":"2026-03-01T12:00:00.123456+00:00","bound_seconds":300.5}');
CREATE TABLE migrator_meta (
	"plan" VARCHAR(255) NOT NULL, 
	"key" VARCHAR(255) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("plan", "key")
);
INSERT INTO "migrator_meta" VALUES('','schema_version','1');
INSERT INTO "migrator_meta" VALUES('','lineage','1b6e6ba85cfd0e0b');
CREATE TABLE moves (
	"plan" VARCHAR(255) NOT NULL, 
	region VARCHAR(255) NOT NULL, 
	area VARCHAR(255) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY ("plan", region, area)
);
INSERT INTO "moves" VALUES('p','europe','web-tracking','{"id":{"region":"europe","area":"web-tracking"},"wave":"w","source":"na-core","target":"na-web","state":"copying","direction":"forward","resume_from":null,"figures":{"objects_copied":3,"bytes_copied":0,"objects_deleted":0,"lag_objects":0,"lag_bytes":0,"lag_seconds":0.0,"fence_seconds":null,"deletes_counted":0,"deletes_accepted":0,"passes":0,"cancelled_fences":0,"soak_seconds":0.0},"intent":null,"epoch":2,"ever_routed":false,"reason":"","since":null,"switched_at":null}');
CREATE TABLE notes (
	"plan" VARCHAR(255) NOT NULL, 
	"key" VARCHAR(512) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY ("plan", "key")
);
INSERT INTO "notes" VALUES('p','k','{"n":[1]}');
CREATE TABLE outstanding (
	"plan" VARCHAR(255) NOT NULL, 
	region VARCHAR(255) NOT NULL, 
	area VARCHAR(255) NOT NULL, 
	side VARCHAR(16) NOT NULL, 
	container VARCHAR(255) NOT NULL, 
	name VARCHAR(1024) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY ("plan", region, area, side, container, name)
);
INSERT INTO "outstanding" VALUES('p','europe','web-tracking','target','box','ö','{"side":"target","container":"box","name":"\u00f6","kind":"create","if_match":null,"at":"2026-03-01T12:00:00.123456+00:00","bound_seconds":5.0}');
CREATE TABLE plans (
	"plan" VARCHAR(255) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY ("plan")
);
INSERT INTO "plans" VALUES('p','{"name":"p","fingerprint":"f1","document":"version: 1\n","saved_at":"2026-03-01T12:00:00.123456+00:00"}');
CREATE TABLE ranges (
	"plan" VARCHAR(255) NOT NULL, 
	region VARCHAR(255) NOT NULL, 
	area VARCHAR(255) NOT NULL, 
	container VARCHAR(255) NOT NULL, 
	prefix VARCHAR(1024) NOT NULL, 
	upper BLOB NOT NULL, 
	records BLOB NOT NULL, 
	is_open BOOLEAN NOT NULL, 
	PRIMARY KEY ("plan", region, area, container, prefix, upper)
);
INSERT INTO "ranges" VALUES('p','europe','web-tracking','box','in/é',X'006D',X'727272727272727272727272727272727272727272727272',1);
INSERT INTO "ranges" VALUES('p','europe','web-tracking','box','in/é',X'01',X'',0);
CREATE TABLE requests (
	"plan" VARCHAR(255) NOT NULL, 
	account VARCHAR(255) NOT NULL, 
	minute BIGINT NOT NULL, 
	operation VARCHAR(255) NOT NULL, 
	requests BIGINT NOT NULL, 
	PRIMARY KEY ("plan", account, minute, operation)
);
INSERT INTO "requests" VALUES('p','a',5,'read',7);
CREATE TABLE samples (
	id INTEGER NOT NULL, 
	"plan" VARCHAR(255) NOT NULL, 
	region VARCHAR(255) NOT NULL, 
	area VARCHAR(255) NOT NULL, 
	gate VARCHAR(255) NOT NULL, 
	at VARCHAR(40) NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "samples" VALUES(1,'p','europe','web-tracking','settled','2026-03-01T12:00:00.123456+00:00','{"move":{"region":"europe","area":"web-tracking"},"gate":"settled","at":"2026-03-01T12:00:00.123456+00:00","begin":"2026-03-01T12:00:00.123456+00:00","end":"2026-03-01T12:00:00.123456+00:00","verdict":"passed","value":1.5,"reason":"well"}');
CREATE TABLE waves (
	"plan" VARCHAR(255) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	position INTEGER NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY ("plan", name)
);
INSERT INTO "waves" VALUES('p','w',0,'{"name":"w","position":0,"state":"running","fingerprint":"wf","begun_at":"2026-03-01T12:00:00.123456+00:00","ended_at":null,"reason":"","forecast":{}}');
CREATE INDEX samples_by_time ON samples ("plan", region, area, at);
CREATE INDEX ix_approvals_plan ON approvals ("plan");
COMMIT;
