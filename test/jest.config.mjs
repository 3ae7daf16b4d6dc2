// One jest for the whole repository. Tests are ES modules, so jest runs with
// NODE_OPTIONS='--experimental-vm-modules --no-warnings', and read every room's sources by the export condition
// `@skerry/source`: no build is needed, except where a test starts a service's own process.
import { resolve } from 'node:path';

export default {
  rootDir: resolve(import.meta.dirname, '..'),
  testMatch: ['<rootDir>/**/*.spec.ts', '<rootDir>/**/*.e2e.ts'],
  testPathIgnorePatterns: [
    '/node_modules/',
    '/dist/',
    '<rootDir>/.cache/',
    '<rootDir>/.skerry/',
    '<rootDir>/.nx/',
  ],
  // Copies of a package.json there would be taken for the rooms' own.
  modulePathIgnorePatterns: ['<rootDir>/.cache/', '<rootDir>/.skerry/', '<rootDir>/.nx/'],
  testSequencer: resolve(import.meta.dirname, 'jest-sequencer.mjs'),
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@skerry/source', 'node', 'node-addons'] },
  setupFilesAfterEnv: ['<rootDir>/test/seed.mjs'],
  testTimeout: 30_000,
  watchman: false,
  cacheDirectory: resolve(import.meta.dirname, '../.cache/jest'),
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          keepClassNames: true,
        },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
};
