import t from 'tap'
import type { ClientSettings } from '../../../../proxy/local/client-settings.ts'
import { postgresSettings } from '../../../../proxy/local/postgres/client-settings.ts'

const { format: formatSettings, forms: settingsForms } = postgresSettings

const local: ClientSettings = {
  name: 'orders',
  host: '127.0.0.1',
  port: 6432,
  database: 'orders',
  user: 'sallyport',
  password: 'S3cret',
  sslmode: 'disable',
}

t.test('each form says where, and the password apart', async (t) => {
  t.equal(
    formatSettings(local, 'psql'),
    "psql 'host=127.0.0.1 port=6432 dbname=orders user=sallyport sslmode=disable'\n# password: export PGPASSWORD=S3cret",
  )
  t.equal(
    formatSettings(local, 'url'),
    'postgresql://sallyport@127.0.0.1:6432/orders?sslmode=disable\n# password: export PGPASSWORD=S3cret',
  )
  t.equal(
    formatSettings(local, 'jdbc'),
    'jdbc:postgresql://127.0.0.1:6432/orders?user=sallyport&sslmode=disable\n# password, for the connection property of that name: S3cret',
  )
  t.equal(
    formatSettings(local, 'env'),
    'export PGHOST=127.0.0.1\nexport PGPORT=6432\nexport PGDATABASE=orders\nexport PGUSER=sallyport\nexport PGSSLMODE=disable\nexport PGPASSWORD=S3cret',
  )
  t.equal(formatSettings(local, 'pgpass'), '127.0.0.1:6432:*:sallyport:S3cret')
  t.equal(
    formatSettings(local, 'service'),
    '[orders]\nhost=127.0.0.1\nport=6432\ndbname=orders\nuser=sallyport\nsslmode=disable\n# password: export PGPASSWORD=S3cret',
  )
})

t.test('no form puts the password into a command or a URL', async (t) => {
  for (const form of settingsForms) {
    const lines = formatSettings(local, form).split('\n')
    const commands = lines.filter((text) => !text.startsWith('#') && !text.startsWith('export PGPASSWORD='))
    if (form !== 'pgpass') t.notMatch(commands.join('\n'), 'S3cret', form)
  }
})

t.test('names are quoted for the shell, for libpq and for URLs', async (t) => {
  const odd = { ...local, database: "a b'c/d" }
  t.match(formatSettings(odd, 'psql'), "psql 'host=127.0.0.1 port=6432 dbname='\\''a b\\'\\''c/d'\\'' user=")
  t.match(formatSettings(odd, 'url'), 'postgresql://sallyport@127.0.0.1:6432/a%20b%27c%2Fd?')
  t.throws(() => formatSettings({ ...local, database: 'x\nhost=evil' }, 'service'), /control characters/)
  t.match(formatSettings({ ...local, host: '::1' }, 'url'), '@[::1]:6432/')
})

t.test('a Unix socket has no password, and JDBC cannot use it', async (t) => {
  const socket = { ...local, host: '/run/user/1/sallyport-x', password: null }
  t.equal(
    formatSettings(socket, 'url'),
    'postgresql://sallyport@/orders?host=%2Frun%2Fuser%2F1%2Fsallyport-x&port=6432&sslmode=disable',
  )
  t.notMatch(formatSettings(socket, 'env'), 'PGPASSWORD')
  t.equal(formatSettings(socket, 'pgpass'), '# no password is required')
  t.throws(() => formatSettings(socket, 'jdbc'), /--socket/)
})

t.test('towards the broker itself the certificate is verified', async (t) => {
  const remote: ClientSettings = {
    ...local,
    host: 'db.example.com',
    sslmode: 'verify-full',
    sslrootcert: '/etc/my ca.pem',
  }
  t.match(formatSettings(remote, 'url'), '?sslmode=verify-full&sslrootcert=%2Fetc%2Fmy%20ca.pem')
  t.match(formatSettings(remote, 'env'), "export PGSSLROOTCERT='/etc/my ca.pem'")
})
