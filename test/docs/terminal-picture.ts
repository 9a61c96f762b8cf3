/**
 * A recorded terminal as a picture (SVG), for the README: what is on the screen at its end. The recording is an asciicast as
 * `sallyport recordings export --cast` writes it; `npm run docs` makes the picture of it.
 */
import { readFileSync } from 'node:fs'
import { type Cell, Screen } from './terminal-screen.ts'

const cell = { width: 8.4, height: 19 } as const
const padding = 20
const titleHeight = 38
const mostRows = 40
const colours = {
  background: '#1d2330',
  frame: '#30394d',
  title: '#9aa5bd',
  text: '#dfe5f0',
} as const
/** As terminals number them. */
const palette = [
  ...['#5b6579', '#ff7b85', '#8fd694', '#f2cc77', '#82b1ff', '#d7a3f2', '#7fd8e0', '#dfe5f0'],
  ...['#8d98b0', '#ff9aa2', '#abe3af', '#f7dc9c', '#a5c8ff', '#e4c0f7', '#a3e6ec', '#ffffff'],
]

interface Header {
  readonly width: number
  readonly title?: string
}

/** @param file below the root of the repository */
export function renderTerminal(file: string): string {
  const [header = '{}', ...events] = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
    .trim()
    .split('\n')
  const { width: cols, title = '' } = JSON.parse(header) as Header
  const screen = new Screen(cols)
  for (const line of events) {
    const [, code, data] = JSON.parse(line) as [number, string, string]
    if (code === 'o') screen.write(data)
    else if (code === 'm') screen.note(data)
  }
  const lines = screen.lines
    .slice(-mostRows)
    .filter((line, at, all) => line.length > 0 || (at > 0 && at < all.length - 1))
  return svg(cols, lines, title.replace(/ on .*\//, ' on '))
}

function svg(cols: number, lines: readonly Cell[][], title: string): string {
  const width = Math.ceil(cols * cell.width) + 2 * padding
  const height = titleHeight + lines.length * cell.height + padding
  const dots = ['#ff6b6b', '#f2cc77', '#8fd694'].map(
    (fill, at) => `<circle cx="${padding + 6 + at * 20}" cy="${titleHeight / 2}" r="6" fill="${fill}"/>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="10" fill="${colours.background}"/>`,
    `<path d="M0 ${titleHeight}V10A10 10 0 0 1 10 0H${width - 10}A10 10 0 0 1 ${width} 10V${titleHeight}Z" fill="${colours.frame}"/>`,
    ...dots,
    `<text x="${width / 2}" y="${titleHeight / 2 + 5}" text-anchor="middle" font-family="sans-serif" font-size="13" fill="${colours.title}">${escaped(title)}</text>`,
    `<g font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="${colours.text}" xml:space="preserve">`,
    ...lines.map((line, at) => row(line, titleHeight + (at + 1) * cell.height)).filter((text) => text !== ''),
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

/** Each piece has its place and width, so that it does not depend on the font. */
function row(line: readonly Cell[], y: number): string {
  return piecesOf(line)
    .map(({ at, text, colour, isBold }) => {
      const x = rounded(padding + at * cell.width)
      const style = `${colour === null ? '' : ` fill="${palette[colour]}"`}${isBold ? ' font-weight="bold"' : ''}`
      return `<text x="${x}" y="${y}" textLength="${rounded(text.length * cell.width)}"${style}>${escaped(text)}</text>`
    })
    .join('\n')
}

interface Piece extends Omit<Cell, 'character'> {
  readonly at: number
  readonly text: string
}

/** What is of one style. */
function piecesOf(line: readonly Cell[]): Piece[] {
  const pieces: Piece[] = []
  line.forEach(({ character, colour, isBold }, at) => {
    const last = pieces.at(-1)
    const goesOn = last && last.at + last.text.length === at && last.colour === colour && last.isBold === isBold
    if (goesOn) pieces.splice(-1, 1, { ...last, text: last.text + character })
    else pieces.push({ at, text: character, colour, isBold })
  })
  // Without the blanks at either end, which a picture may not keep.
  return pieces
    .map((piece) => ({ ...piece, at: piece.at + piece.text.search(/\S|$/), text: piece.text.trim() }))
    .filter(({ text }) => text !== '')
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10)
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
