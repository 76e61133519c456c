// `npm run env-example`: writes .env.example from the settings of the platform.
import { writeFileSync } from 'node:fs'
import { platformSettings } from '../apps/platform/src/settings.ts'
import { envExample } from './env-example/document.ts'

writeFileSync(new URL('../.env.example', import.meta.url), envExample(platformSettings))
