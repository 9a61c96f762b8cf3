#!/usr/bin/env node
import { runCli } from './cli/cli.ts'
import { registers } from './cli/registers.ts'

process.exitCode = await runCli(process.argv.slice(2), registers)
