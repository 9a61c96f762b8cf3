/** Passwords in connection strings, as libpq reads them, and what looks like one and is none. */
import t from 'tap'
import { redacted } from './a-redacted.ts'

/** In one piece and byte by byte. */
function redactedTwice(text: string): readonly string[] {
  return [undefined, 1].map((size) => redacted(text, 'unknown', size))
}

function check(
  t: { same(found: unknown, wanted: unknown, message: string): void },
  texts: Record<string, string>,
): void {
  for (const [text, expected] of Object.entries(texts)) t.same(redactedTwice(text), [expected, expected], text)
}

t.test('A3: the password of a URI ends at `@` or `/`, as in libpq, and nowhere before', (t) => {
  check(t, {
    "create subscription s connection 'postgresql://u:pa#ss@h/db' publication p":
      "create subscription s connection 'postgresql://u:[redacted]@h/db' publication p",
    "select dblink('postgresql://u:pa?ss@h', 'select 1')": "select dblink('postgresql://u:[redacted]@h', 'select 1')",
    "select dblink('postgresql://u:pa&ss:x@h/db?user=u')": "select dblink('postgresql://u:[redacted]@h/db?user=u')",
    "select 'postgres://u#x?y:pa?k=v&ss@h'": "select 'postgres://u#x?y:[redacted]@h'",
    "select 'postgres://u:pa?ss@h/?x=1&password=zz&y=2'":
      "select 'postgres://u:[redacted]@h/?x=1&password=[redacted]&y=2'",
    "select 'postgres://u:a?password=b@h#c'": "select 'postgres://u:[redacted]#c'",
    '-- postgres://u:pa#ss@h\nselect 1': '-- postgres://u:[redacted]@h\nselect 1',
  })
  t.end()
})

t.test('A3: without `@` before the first `/` there is no password, but parameters are read', (t) => {
  check(t, {
    "select 'https://h:80/a?b=c@d:e@f'": "select 'https://h:80/a?b=c@d:e@f'",
    "select 'https://h:80#x', 'a@b'": "select 'https://h:80#x', 'a@b'",
    "select 'postgres://h:80?password=ss'": "select 'postgres://h:80?password=[redacted]'",
    "select 'postgres://u@h:80/x:y@z'": "select 'postgres://u@h:80/x:y@z'",
    "select 'postgres://u:@h'": "select 'postgres://u:@h'",
    "select 'postgres://h?passwd=a@b&x=y'": "select 'postgres://h?passwd=[redacted]&x=y'",
    "select 'postgres://u:secret', now()@now()": "select 'postgres://u:secret', now()@now()",
  })
  t.end()
})

t.test('A3: a quote within a bare value of a connection string belongs to it', (t) => {
  check(t, {
    "select dblink_connect('host=h password=ab''cd')": "select dblink_connect('host=h password=[redacted]')",
    "select dblink_connect('c', 'password=a''''x'' user=u')":
      "select dblink_connect('c', 'password=[redacted] user=u')",
    "create subscription s connection $$password=ab'cd host=h$$ publication p":
      'create subscription s connection $$password=[redacted] host=h$$ publication p',
    "select dblink_connect('host=it''s password=cd port=1')":
      "select dblink_connect('host=it''s password=[redacted] port=1')",
  })
  t.end()
})

t.test('A3: elsewhere a quote ends what is read as a connection string, since code may follow', (t) => {
  const code = "do $$ begin execute 'a=b password=x''' || 'select 1'; end $$"
  check(t, {
    "select 'host=h password=ab''cd; drop table t'": "select 'host=h password=ab''cd; drop table t'",
    [code]: code,
  })
  t.end()
})
