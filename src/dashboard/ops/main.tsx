import { render } from 'preact';
import '../common/style.css';
import './ops.css';
import { OpsPage } from './page.tsx';

const root = document.querySelector('#app');
if (root !== null) render(<OpsPage />, root);
