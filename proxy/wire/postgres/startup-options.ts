import { WireError } from '../wire-error.ts'

/**
 * The startup parameter `options`: settings in the form of command-line switches, split as PostgreSQL does it
 * (pg_split_opts): by white space, a backslash takes the next character as it is.
 * @returns names with `_` for `-`, as PostgreSQL reads them, in the order given
 * @throws WireError for any switch but `-c name=value` and `--name=value`
 */
export function parseOptions(options: string): [name: string, value: string][] {
  const words = splitWords(options)
  const settings: [string, string][] = []
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? ''
    if (word === '-c') {
      at += 1
      settings.push(parseSetting(words[at] ?? ''))
    } else if (word.startsWith('-c')) settings.push(parseSetting(word.slice(2)))
    else if (word.startsWith('--')) settings.push(parseSetting(word.slice(2)))
    else throw new WireError('invalid command-line argument in "options": only -c name=value and --name=value')
  }
  return settings
}

function parseSetting(text: string): [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new WireError('a setting in "options" needs the form name=value')
  return [text.slice(0, equals).replaceAll('-', '_'), text.slice(equals + 1)]
}

/** White space is what C's isspace() says. */
function splitWords(text: string): string[] {
  const words = text.match(/(?:\\[\s\S]|[^ \t\n\v\f\r\\])+/g) ?? []
  return words.map((word) => word.replaceAll(/\\([\s\S])/g, '$1'))
}
