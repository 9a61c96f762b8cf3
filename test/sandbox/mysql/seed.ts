/** Statements run once, when the template is made; a change here makes a new template. */
export const iamUsers = ['sallyport_ro', 'sallyport_rw'] as const

/** Of every user here that is not an administrator: the RDS double signs in to the real server with it. */
export const backendPassword = 'sandbox-backend'

const writing =
  'SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, CREATE TEMPORARY TABLES, LOCK TABLES, ' +
  'EXECUTE, CREATE ROUTINE, ALTER ROUTINE, CREATE VIEW, SHOW VIEW, TRIGGER, EVENT'

const databases = ['orders', 'billing', 'samples'] as const

const users = [
  // Installed for any machine that reaches the server, without a password: only the socket is left to the administrator.
  "DELETE FROM mysql.global_priv WHERE Host <> 'localhost'",
  'FLUSH PRIVILEGES',
  ...[...iamUsers, 'app'].map((user) => `CREATE USER ${user}@'%' IDENTIFIED BY '${backendPassword}'`),
  ...databases.map((name) => `CREATE DATABASE ${name} CHARACTER SET utf8mb4`),
  ...databases.map((name) => `GRANT SELECT, SHOW VIEW ON ${name}.* TO sallyport_ro@'%'`),
  ...databases.map((name) => `GRANT ${writing} ON ${name}.* TO sallyport_rw@'%'`),
  ...databases.map((name) => `GRANT SELECT ON ${name}.* TO app@'%'`), // an ordinary application's user: no IAM sign-in
]

const firstNames =
  'Amara,Bruno,Chiara,Dmitri,Elif,Farah,Goran,Hana,Ines,Jonas,Kofi,Lucia,Mateo,Nadia,Oskar,Priya,Quinn,Rosa,Sven,Tomoko'
const lastNames =
  'Almeida,Berg,Castillo,Dubois,Eriksen,Fischer,Garcia,Haddad,Ivanov,Jensen,Kim,Laurent,Moreau,Nowak,Okafor,Petrov,Rossi'
const cities = 'Antwerp,Bologna,Cork,Dresden,Espoo,Freiburg,Ghent,Haarlem,Innsbruck,Jena,Krakow'
const products =
  'desk lamp,office chair,standing desk,monitor arm,keyboard,webcam,headset,notebook stand,cable tray,whiteboard,foot rest,filing cabinet,coat rack'
const statuses = 'paid,shipped,delivered,delivered,delivered,returned,pending'

function pick(list: string, by: string): string {
  const all = list.split(',')
  return `ELT(1 + (${by}) % ${all.length}, ${all.map((one) => `'${one}'`).join(', ')})`
}

/** The company's data, row by row what the sandbox's PostgreSQL has. */
const orders = [
  `CREATE TABLE orders.customers (
     id int PRIMARY KEY, name varchar(100) NOT NULL, email varchar(100) NOT NULL UNIQUE, city varchar(50) NOT NULL,
     created_at datetime NOT NULL)`,
  `INSERT INTO orders.customers
     SELECT n, CONCAT(first, ' ', last), LOWER(CONCAT(first, '.', last, n, '@example.net')), ${pick(cities, 'n * 7')},
            '2024-01-01 09:00' + INTERVAL n * 31 HOUR
     FROM (SELECT seq AS n, ${pick(firstNames, 'seq')} AS first, ${pick(lastNames, 'seq * 3')} AS last
           FROM orders.seq_1_to_200) people`,
  `CREATE TABLE orders.orders (
     id int PRIMARY KEY, customer_id int NOT NULL, product varchar(50) NOT NULL, quantity int NOT NULL CHECK (quantity > 0),
     total decimal(10,2) NOT NULL, status varchar(20) NOT NULL, ordered_at datetime NOT NULL,
     KEY orders_customer (customer_id), FOREIGN KEY (customer_id) REFERENCES orders.customers (id))`,
  `INSERT INTO orders.orders
     SELECT seq, 1 + (seq * 37) % 200, ${pick(products, 'seq * 5')}, 1 + seq % 4,
            (19 + (seq * 83) % 480) * (1 + seq % 4) + 0.90, ${pick(statuses, 'seq * 11')},
            '2025-01-01 08:00' + INTERVAL seq * 557 MINUTE
     FROM orders.seq_1_to_600`,
  `CREATE DEFINER=sallyport_rw@'%' SQL SECURITY INVOKER VIEW orders.late AS SELECT id, customer_id, product FROM orders.orders WHERE status = 'pending'`,
]

const billing = [
  `CREATE TABLE billing.invoices (
     id int PRIMARY KEY, number varchar(20) NOT NULL UNIQUE, customer varchar(50) NOT NULL, amount decimal(10,2) NOT NULL,
     due_on date NOT NULL, paid_on date)`,
  `INSERT INTO billing.invoices
     SELECT seq, CONCAT('INV-2025-', LPAD(seq, 5, '0')),
            CONCAT(${pick(lastNames, 'seq')}, ' ', ${pick('GmbH,SA,Ltd,BV', 'seq * 3')}), 120 + (seq * 61) % 4000 + 0.50,
            '2025-01-15' + INTERVAL seq DAY, IF(seq % 5 > 0, '2025-01-15' + INTERVAL seq - seq % 9 DAY, NULL)
     FROM billing.seq_1_to_300`,
]

/** For the protocol: every type with its extremes, results that go on for long, room for blobs, several results of one call. */
const samples = [
  `CREATE TABLE samples.types (
     id int PRIMARY KEY, a_tiny tinyint, a_utiny tinyint unsigned, a_small smallint, a_usmall smallint unsigned,
     a_medium mediumint, an_int int, a_uint int unsigned, a_big bigint, a_ubig bigint unsigned, a_float float,
     a_double double, a_decimal decimal(65,30), a_bit bit(64), a_year year, a_date date, a_time time(6),
     a_datetime datetime(6), a_timestamp timestamp(6) NULL, a_char char(10), a_varchar varchar(300), a_binary binary(4),
     a_varbinary varbinary(300), a_tinyblob tinyblob, a_blob blob, a_mediumblob mediumblob, a_longblob longblob,
     a_tinytext tinytext, a_text text, a_mediumtext mediumtext, a_longtext longtext, an_enum enum('x', 'y'),
     a_set set('x', 'y', 'z'), a_json json, a_point point, a_latin varchar(20) CHARACTER SET latin1)`,
  `INSERT INTO samples.types VALUES
     (1, -128, 255, -32768, 65535, -8388608, -2147483648, 4294967295, -9223372036854775808, 18446744073709551615,
      -1.5, 2.2250738585072014e-308, -12345678901234567890123456789012345.678901234567890123456789012345,
      b'1111111111111111111111111111111111111111111111111111111111111111', 2155, '9999-12-31', '-838:59:59.999999',
      '2026-11-28 12:34:56.789012', '2026-11-28 12:34:56.000001', 'ten chars!', REPEAT('é', 300), x'00ff00ff',
      UNHEX(REPEAT('fe', 300)), x'00', REPEAT('b', 65535), REPEAT('m', 70000), '', 'tiny', 'text', 'medium',
      'long 🦭', 'y', 'x,z', '{"a": [1, null]}', POINT(1, -2), 'café'),
     (2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b'0', 1901, '1000-01-01', '00:00:00', '1000-01-01 00:00:00',
      '1970-01-01 00:00:01', '', '', x'00000000', '', '', '', '', '', '', '', '', '', 'x', '', '{}', POINT(0, 0), '')`,
  'INSERT INTO samples.types (id) VALUES (3)', // everything else NULL
  'CREATE TABLE samples.counted (id int PRIMARY KEY, word varchar(40) NOT NULL)',
  `INSERT INTO samples.counted SELECT seq, CONCAT('word number ', seq) FROM samples.seq_1_to_20000`,
  'CREATE TABLE samples.files (id int PRIMARY KEY AUTO_INCREMENT, name varchar(200) NOT NULL, body longblob)',
  'CREATE TABLE samples.imported (id int, word varchar(100))',
  `CREATE DEFINER=sallyport_rw@'%' PROCEDURE samples.two_results(IN many int)
     BEGIN SELECT id, word FROM samples.counted WHERE id <= many; SELECT many AS asked, 'done' AS state; END`,
]

export const seed: readonly string[] = [...users, ...orders, ...billing, ...samples]
