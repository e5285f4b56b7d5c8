"""The papers that a methods section cites, by key."""

from dataclasses import dataclass, field
from typing import Final

PAPERS: Final[dict[str, str]] = {
    "adamw": "I. Loshchilov, F. Hutter, Decoupled weight decay regularization, ICLR "
    "2019. doi:10.48550/arXiv.1711.05101",
    "baoab": "B. Leimkuhler, C. Matthews, Rational construction of stochastic "
    "numerical methods for molecular sampling, Appl. Math. Res. Express 2013, 34-56. "
    "doi:10.1093/amrx/abs010",
    "cgnets": "J. Wang et al., Machine learning of coarse-grained molecular dynamics "
    "force fields, ACS Cent. Sci. 5, 755-767 (2019). doi:10.1021/acscentsci.8b00913",
    "cgschnet": "B. E. Husic et al., Coarse graining molecular dynamics with graph "
    "neural networks, J. Chem. Phys. 153, 194101 (2020). doi:10.1063/5.0026133",
    "deeptime": "M. Hoffmann et al., Deeptime: a Python library for machine learning "
    "dynamical models from time series data, Mach. Learn.: Sci. Technol. 3, 015009 "
    "(2022). doi:10.1088/2632-2153/ac3de0",
    "ff14sb": "J. A. Maier et al., ff14SB: improving the accuracy of protein side "
    "chain and backbone parameters from ff99SB, J. Chem. Theory Comput. 11, 3696-3713 "
    "(2015). doi:10.1021/acs.jctc.5b00255",
    "force_maps": "A. Krämer et al., Statistically optimal force aggregation for "
    "coarse-graining molecular dynamics, J. Phys. Chem. Lett. 14, 3970-3979 (2023). "
    "doi:10.1021/acs.jpclett.3c00444",
    "force_matching": "W. G. Noid et al., The multiscale coarse-graining method. I. A "
    "rigorous bridge between atomistic and coarse-grained models, J. Chem. Phys. 128, "
    "244114 (2008). doi:10.1063/1.2938860",
    "gbn2": "H. Nguyen, D. R. Roe, C. Simmerling, Improved generalized Born solvent "
    "model parameters for protein simulations, J. Chem. Theory Comput. 9, 2020-2034 "
    "(2013). doi:10.1021/ct3010485",
    "hdr": "R. J. Hyndman, Computing and graphing highest density regions, Am. Stat. "
    "50, 120-126 (1996). doi:10.1080/00031305.1996.10474359",
    "hydrogen_masses": "C. W. Hopkins, S. Le Grand, R. C. Walker, A. E. Roitberg, "
    "Long-time-step molecular dynamics through hydrogen mass repartitioning, J. Chem. "
    "Theory Comput. 11, 1864-1874 (2015). doi:10.1021/ct5010406",
    "lfmiddle": "Z. Zhang, X. Liu, K. Yan, M. E. Tuckerman, J. Liu, Unified efficient "
    "thermostat scheme for the canonical ensemble with holonomic or isokinetic "
    "constraints via molecular dynamics, J. Phys. Chem. A 123, 6056-6079 (2019). "
    "doi:10.1021/acs.jpca.9b02771",
    "mab": "P. A. Torrillo, A. T. Bogetti, L. T. Chong, A minimal, adaptive binning "
    "scheme for weighted ensemble simulations, J. Phys. Chem. A 125, 1642-1649 (2021). "
    "doi:10.1021/acs.jpca.0c10724",
    "majewski": "M. Majewski et al., Machine learning coarse-grained potentials of "
    "protein thermodynamics, Nat. Commun. 14, 5739 (2023). "
    "doi:10.1038/s41467-023-41343-1",
    "noise": "A. E. P. Durumeric et al., Learning data-efficient coarse-grained "
    "molecular dynamics from forces and noise, Nat. Commun. (2026). "
    "doi:10.1038/s41467-026-70818-0",
    "obc2": "A. Onufriev, D. Bashford, D. A. Case, Exploring protein native states and "
    "large-scale conformational changes with a modified generalized Born model, "
    "Proteins 55, 383-394 (2004). doi:10.1002/prot.20033",
    "openmm": "P. Eastman et al., OpenMM 8: molecular dynamics simulation with machine "
    "learning potentials, J. Phys. Chem. B 128, 109-116 (2024). "
    "doi:10.1021/acs.jpcb.3c06662",
    "parsl": "Y. Babuji et al., Parsl: pervasive parallel programming in Python, HPDC "
    "2019, 25-36. doi:10.1145/3307681.3325400",
    "pytorch": "J. Ansel et al., PyTorch 2: faster machine learning through dynamic "
    "Python bytecode transformation and graph compilation, ASPLOS 2024, 929-947. "
    "doi:10.1145/3620665.3640366",
    "riteweight": "S. Kania, R. J. Webber, G. Simpson, D. Aristoff, D. M. Zuckerman, "
    "Randomized iterative trajectory reweighting for steady-state distributions "
    "without discretization error, Proc. Natl. Acad. Sci. 123, e2529246123 (2026). "
    "doi:10.1073/pnas.2529246123",
    "tica": "G. Pérez-Hernández, F. Paul, T. Giorgino, G. De Fabritiis, F. Noé, "
    "Identification of slow molecular order parameters for Markov model construction, "
    "J. Chem. Phys. 139, 015102 (2013). doi:10.1063/1.4811489",
    "tip3pfb": "L.-P. Wang, T. J. Martinez, V. S. Pande, Building force fields: an "
    "automatic, systematic, and reproducible approach, J. Phys. Chem. Lett. 5, "
    "1885-1891 (2014). doi:10.1021/jz500737m",
    "torchmd": "S. Doerr et al., TorchMD: a deep learning framework for molecular "
    "simulations, J. Chem. Theory Comput. 17, 2355-2363 (2021). "
    "doi:10.1021/acs.jctc.0c01343",
    "torchmd_net": "R. P. Pelaez et al., TorchMD-Net 2.0: fast neural network "
    "potentials for molecular simulations, J. Chem. Theory Comput. 20, 4076-4087 "
    "(2024). doi:10.1021/acs.jctc.4c00253",
    "we": "G. A. Huber, S. Kim, Weighted-ensemble Brownian dynamics simulations for "
    "protein association reactions, Biophys. J. 70, 97-110 (1996). "
    "doi:10.1016/S0006-3495(96)79552-8",
    "westpa": "J. D. Russo et al., WESTPA 2.0: high-performance upgrades for weighted "
    "ensemble simulations and analysis of longer-timescale applications, J. Chem. "
    "Theory Comput. 18, 638-649 (2022). doi:10.1021/acs.jctc.1c01154",
}


@dataclass
class Citations:
    """Numbers papers in the order in which they are cited."""

    keys: list[str] = field(default_factory=list)

    def cite(self, *keys: str) -> str:
        """Return " [1,2]", to follow a word; KeyError for an unknown paper."""
        for key in keys:
            if key not in PAPERS:
                raise KeyError(f"No paper {key!r}. Add it to PAPERS.")
            if key not in self.keys:
                self.keys.append(key)
        numbers = sorted(self.keys.index(key) + 1 for key in keys)
        return f" [{','.join(map(str, numbers))}]"

    def list(self) -> list[str]:
        """Return the papers with their numbers."""
        return [f"[{n}] {PAPERS[key]}" for n, key in enumerate(self.keys, start=1)]
