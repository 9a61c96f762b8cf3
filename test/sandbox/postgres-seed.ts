/** Statements run once, when the template is made; a change here makes a new template. Roles first, then each database. */
export const iamUsers = ['sallyport_ro', 'sallyport_rw'] as const

export const clusterSeed = [
  'CREATE ROLE rds_iam NOLOGIN',
  'CREATE ROLE sallyport_ro LOGIN IN ROLE rds_iam, pg_read_all_data',
  'CREATE ROLE sallyport_rw LOGIN IN ROLE rds_iam, pg_read_all_data, pg_write_all_data',
  'CREATE ROLE app LOGIN', // an ordinary application's user: no IAM sign-in
  'CREATE DATABASE orders',
  'CREATE DATABASE billing',
]

const firstNames = `ARRAY['Amara','Bruno','Chiara','Dmitri','Elif','Farah','Goran','Hana','Ines','Jonas','Kofi','Lucia','Mateo','Nadia','Oskar','Priya','Quinn','Rosa','Sven','Tomoko']`
const lastNames = `ARRAY['Almeida','Berg','Castillo','Dubois','Eriksen','Fischer','Garcia','Haddad','Ivanov','Jensen','Kim','Laurent','Moreau','Nowak','Okafor','Petrov','Rossi']`
const cities = `ARRAY['Antwerp','Bologna','Cork','Dresden','Espoo','Freiburg','Ghent','Haarlem','Innsbruck','Jena','Krakow']`
const products = `ARRAY['desk lamp','office chair','standing desk','monitor arm','keyboard','webcam','headset','notebook stand','cable tray','whiteboard','foot rest','filing cabinet','coat rack']`
const statuses = `ARRAY['paid','shipped','delivered','delivered','delivered','returned','pending']`
const pick = (list: string, by: string) => `(${list})[1 + (${by}) % array_length(${list}, 1)]`

export const databaseSeeds: Readonly<Record<string, readonly string[]>> = {
  orders: [
    `CREATE TABLE customers (
       id int PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, city text NOT NULL,
       created_at timestamptz NOT NULL)`,
    `INSERT INTO customers
       SELECT n, first || ' ' || last, lower(first || '.' || last || n || '@example.net'), ${pick(cities, 'n * 7')},
              timestamptz '2024-01-01 09:00+00' + n * interval '31 hours'
       FROM (SELECT n, ${pick(firstNames, 'n')} AS first, ${pick(lastNames, 'n * 3')} AS last
             FROM generate_series(1, 200) n) people`,
    `CREATE TABLE orders (
       id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers, product text NOT NULL,
       quantity int NOT NULL CHECK (quantity > 0), total numeric(10,2) NOT NULL, status text NOT NULL,
       ordered_at timestamptz NOT NULL)`,
    `INSERT INTO orders
       SELECT n, 1 + (n * 37) % 200, ${pick(products, 'n * 5')}, 1 + n % 4,
              round(((19 + (n * 83) % 480) * (1 + n % 4))::numeric + 0.90, 2), ${pick(statuses, 'n * 11')},
              timestamptz '2025-01-01 08:00+00' + n * interval '9 hours 17 minutes'
       FROM generate_series(1, 600) n`,
    'CREATE INDEX orders_customer ON orders (customer_id)',
  ],
  billing: [
    `CREATE TABLE invoices (
       id int PRIMARY KEY, number text NOT NULL UNIQUE, customer text NOT NULL, amount numeric(10,2) NOT NULL,
       due_on date NOT NULL, paid_on date)`,
    `INSERT INTO invoices
       SELECT n, 'INV-2025-' || lpad(n::text, 5, '0'), ${pick(lastNames, 'n')} || ' ' || ${pick(`ARRAY['GmbH','SA','Ltd','BV']`, 'n * 3')},
              round((120 + (n * 61) % 4000)::numeric + 0.50, 2), date '2025-01-15' + n,
              CASE WHEN n % 5 > 0 THEN date '2025-01-15' + n - (n % 9) END
       FROM generate_series(1, 300) n`,
  ],
}
